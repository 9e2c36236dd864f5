# Sidekiq: jobs (a delayed one, one that fails and is retried) and a separate server. Argument: the port.
require "sidekiq"
require "sidekiq/api"

url = "redis://127.0.0.1:#{ENV.fetch("LIBRARY_PORT") { ARGV.fetch(0) }}/0"
Sidekiq.configure_client { |config| config.redis = { url: url } }
Sidekiq.configure_server do |config|
  config.redis = { url: url }
  config.options[:poll_interval_average] = 0.2
  config.options[:concurrency] = 3
end
Redis.silence_deprecations = true
Sidekiq.logger.level = Logger::FATAL

class Adder
  include Sidekiq::Worker
  sidekiq_options retry: 2
  sidekiq_retry_in { 1 }

  def perform(key, number)
    if key == "stubborn" && Sidekiq.redis { |redis| redis.incr("tries") } == 1
      raise "the first time"
    end
    Sidekiq.redis { |redis| redis.incrby(key, number) }
  end
end

unless Sidekiq.server?
  server = spawn({ "LIBRARY_PORT" => ARGV.fetch(0) }, "sidekiq", "-q", "default", "-r", File.expand_path(__FILE__))
  begin
    20.times { |i| Adder.perform_async("sum", i) }
    Adder.perform_in(0.5, "later", 7)
    Adder.perform_async("stubborn", 5)
    value = ->(key) { Sidekiq.redis { |redis| redis.get(key) } }
    sleep 0.05 until value["sum"] == "190" && value["later"] == "7" && value["stubborn"] == "5"
    # A server counts its finished jobs at each heartbeat, with which it also reports that it is alive.
    sleep 0.05 until Sidekiq::Stats.new.processed == 23 && Sidekiq::Stats.new.failed == 1
    stats = Sidekiq::Stats.new
    raise "left" unless stats.enqueued.zero? && stats.scheduled_size.zero? && stats.retry_size.zero?
    sleep 0.05 until Sidekiq::ProcessSet.new.size == 1
  ensure
    Process.kill("TERM", server)
    Process.wait(server)
  end
end
