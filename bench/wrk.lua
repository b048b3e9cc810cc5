-- Prints wrk's figures as one line of JSON; its own report rounds them.
done = function(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  print(string.format('{"requestsPerSecond":%.1f,"p50Us":%d,"p99Us":%d,"requests":%d,"errors":%d}',
    summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99), summary.requests, errors))
end
