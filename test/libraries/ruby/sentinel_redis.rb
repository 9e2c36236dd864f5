# Increments a counter by the gem redis (of Sidekiq) at the master that sentinels name, until its input ends. Prints a
# number after each increment, and at the end the number of failed ones by error. Arguments: the name of the master,
# and the sentinels' ports.
require "json"
require "redis"

name, *ports = ARGV
redis = Redis.new(
  url: "redis://#{name}",
  sentinels: ports.map { |port| { host: "127.0.0.1", port: port.to_i } },
  role: :master,
  connect_timeout: 1,
  read_timeout: 5,
  reconnect_attempts: 3
)
over = false
Thread.new { $stdin.read; over = true }
$stdout.sync = true
done = 0
errors = Hash.new(0)
until over
  begin
    redis.incr("counter")
    puts(done += 1)
  rescue StandardError => error
    errors["#{error.class}: #{error.message}"] += 1
  end
  sleep 0.01
end
puts JSON.generate(errors)
