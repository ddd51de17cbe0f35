-- wrk: the prepared request, and one line of JSON at the end.
wrk.method = "POST"
local file = assert(io.open(os.getenv("BENCH_BODY"), "r"))
wrk.body = file:read("*a")
file:close()
for line in io.lines(os.getenv("BENCH_HEADERS")) do
  local name, value = line:match("^([^:]+):%s*(.*)$")
  if name then wrk.headers[name] = value end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('{"answers":%d,"errors":%d,"wall_s":%.4f,"p50_us":%d,"p99_us":%d}',
    summary.requests, e.connect + e.read + e.write + e.status + e.timeout, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99)))
end
