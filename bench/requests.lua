-- wrk: the paths of a file in turn, with a token; says what it saw in one line.
local requests, at = {}, 0

function init()
    local headers = {}
    local token = os.getenv("TOKEN")
    if token ~= "" then
        headers["Authorization"] = "Bearer " .. token
    end
    for path in io.lines(os.getenv("PATHS")) do
        requests[#requests + 1] = wrk.format("GET", path, headers)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
