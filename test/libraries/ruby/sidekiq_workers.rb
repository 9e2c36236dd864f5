# Workers of Sidekiq at several servers, for test/system/claims. Arguments: the ports. Requests and reports are those of
# ../npm/bullmq-workers.mjs.
require "json"
require "sidekiq"

Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::FATAL

def report(line)
  $stdout.syswrite("#{line.to_json}\n")
end

class Job
  include Sidekiq::Worker
  sidekiq_options retry: 5

  def perform(number, text)
    report({ ran: number, hasData: text == "data" })
  end
end

if Sidekiq.server?
  Sidekiq.configure_server do |config|
    config.redis = { url: "redis://127.0.0.1:#{ENV.fetch("LIBRARY_PORT")}/0" }
    config.options[:concurrency] = 1
    config.on(:startup) { report({ ready: true }) }
  end
else
  pools = ARGV.map { |port| Sidekiq::RedisConnection.create(url: "redis://127.0.0.1:#{port}/0", size: 2) }
  servers = ARGV.map do |port|
    spawn({ "LIBRARY_PORT" => port }, "sidekiq", "-q", "default", "-t", "2", "-r", File.expand_path(__FILE__), in: File::NULL)
  end
  stop = lambda do
    servers.each { |server| Process.kill("TERM", server) }
    servers.each { |server| Process.wait(server) }
    servers.clear
  end
  begin
    $stdin.each_line do |line|
      request = JSON.parse(line)
      case request["do"]
      when "add"
        number = request["job"]
        begin
          Sidekiq::Client.new(pools[request["daemon"]]).push("class" => Job, "args" => [number, "data"])
          report({ added: number })
        rescue StandardError => reason
          report({ failed: number, reason: reason.message })
        end
      when "stop"
        stop.call
        report({ stopped: true })
      when "check"
        waiting = pools[0].with { |redis| { queued: redis.llen("queue:default"), retry: redis.zcard("retry") } }
        report({ withoutData: 0, withoutLifetime: 0, waiting: waiting, examples: [] })
      end
    end
  ensure
    stop.call
  end
end
