# Increments a number by the gem redis with its default options, once for each line of the input, which names the key.
# Prints "ready", and for each call the answer or error as a line of JSON. Arguments: the library, a port.
require "json"
require "redis"

redis = Redis.new(port: ARGV[1].to_i)
redis.ping
$stdout.sync = true
puts "ready"
$stdin.each_line do |line|
  found = begin
    { answer: redis.incr(line.strip) }
  rescue StandardError => error
    { error: "#{error.class}: #{error.message}" }
  end
  puts JSON.generate(found)
end
