#!/bin/sh
# Starts the daemon of a pod, in the folder of its configuration. docs/kubernetes.md describes what a person does.
set -eu
volume=/var/lib/dbsyncd
# The first process of a container ignores SIGTERM otherwise.
trap 'exit 143' TERM

# A new volume is that of a new cluster, of an additional daemon, or of a member that lost its disk. The last two must
# not serve alone: the cluster would never accept their writes. They start only while a daemon of the cluster serves,
# and its members then decide. For a new cluster, a person makes the folder.
until [ -d $volume/data ] || [ -d $volume/joining ]; do
  if dbsync status --json | grep -Eq '"state": *"(live|isolated)"'; then
    echo "A daemon of the cluster serves: starting $POD_NAME as a new daemon. If it replaces a member that lost its disk,
run in the pod of another member: dbsync members replace OLD-ID $POD_NAME.dbsync:1111 --data $volume/data"
    mkdir -m 0700 $volume/joining
  else
    echo "The volume is empty, and no daemon of the cluster serves. Waiting for one. If the cluster is new, run once:
kubectl exec $POD_NAME -- mkdir -m 0700 $volume/data"
    sleep 5
  fi
done

# A new daemon that reaches no member within ten seconds would serve alone. So it first runs at a port that no client
# knows, without the listeners that are variables, and no probe reaches it. This ends when it has stored the list of
# members, which it obeys after a restart, too, or when a cluster without a list has admitted it.
if [ ! -d $volume/data ]; then
  env -i PATH="$PATH" NODE_OPTIONS="$NODE_OPTIONS" \
    dbsyncd --config dbsyncd.toml --data $volume/joining --port 1112 --admin 127.0.0.1:9464 &
  daemon=$!
  own=dbsyncs://$POD_NAME.dbsync:1112
  until dbsync members list --data $volume/joining -s "$own" | grep -q '^List ' ||
    dbsync status -s "$own" --json | grep -Eq '"state": *"(live|isolated)", *"members": *[1-9]'; do
    echo "Waiting for a member's answer to the new daemon. No client reaches it before."
    sleep 2
    kill -0 $daemon
  done
  kill $daemon
  wait $daemon
  mv $volume/joining $volume/data
fi

# Kubernetes replaces the link ..data when it has written a new configuration. The daemon has this process's id.
configuration=$(readlink ..data)
while sleep 5; do
  now=$(readlink ..data)
  [ "$now" = "$configuration" ] || kill -HUP $$
  configuration=$now
done &
exec dbsyncd --config dbsyncd.toml
