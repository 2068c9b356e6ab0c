-- One law for many processes: that of rate.py and tokens.py, on the server's clock, in one round
-- trip. The names are the same there; the reasons stand there, too.
--
-- KEYS[1]: the state of the law. KEYS[2]: the holders, scored by when they expire.
-- ARGV[1]: JSON with
--   holder, expires     who asks, and after how many seconds without a sign of life it is dead
--   ceiling, tokens     known limits of requests and tokens a second, already reduced; absent if not
--   start               the rate to begin with if there is no state, absent if not known
--   life                the name of the state if there is none
--   ahead               seconds ahead of which requests are granted
--   want                estimates of the tokens of the requests that wait, in their order
--   refused             list of [life, number, reserved, round trip, Retry-After or -1]
--   unused              list of [life, reserved]
--   settled             [answers, estimates, reserved, used]
--   now                 only for tests: the time in seconds
-- Returns JSON: granted [[number, delay, reserved]], wait, rate, holders, life, paused.

local LONG_WAIT, START, GROWTH, GROWTH_AGAIN, LEAST = 5, 50, 0.15, 0.05, 1 / 60
local CUT, REQUESTS_PER_CUT, SOONEST, LATEST, BURST, RUN = 0.85, 400, 10, 60, 0.01, 5
local PAUSE, LONGEST_PAUSE, AVERAGED, MEMORY, USED, LEAST_USED = 0.25, 15, 0.1, 2, 0.7, 0.5
local NONE, TO_SEND, SENT = 0, 1, 2
local TOKEN_BURST, TOKEN_MEMORY, SMALLEST, LARGEST = 0.25, 100, 0.05, 50
local NEVER, UNLIMITED = -1e18, 1e18
local KEPT = 3600 -- seconds after which the state of a limit that nobody uses is forgotten

local ask = cjson.decode(ARGV[1])
local now = ask.now
if not now then
  local time = redis.call("TIME")
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end
local ceiling = ask.ceiling or UNLIMITED

local function period(rate)
  return math.min(LATEST, math.max(SOONEST, REQUESTS_PER_CUT / rate))
end

local function begin()
  local rate = math.min(ceiling, ask.start or (ask.ceiling and ceiling or START))
  return {
    life = ask.life, searching = not (ask.ceiling or ask.start), growth = GROWTH, rate = rate,
    at = now, level = 1, peak = rate, period = period(rate), clock = period(rate),
    allowed = 0, sent = 0, number = 0, cut_at = 0, run_from = 0, run_to = 0, run = 0,
    round_trip = 0, paused = false, paused_at = NEVER, held_until = NEVER, pauses = 0, test = NONE,
    passed = 0, seconds = 0, passed_start = 0, seconds_start = 0,
    passed_resumed = 0, seconds_resumed = 0,
    token_level = (ask.tokens or 0) * TOKEN_BURST, estimated = 0, used = 0,
  }
end

local saved = redis.call("GET", KEYS[1])
local self = saved and cmsgpack.unpack(saved) or begin()
if self.rate > ceiling then self.rate = ceiling end

local function resume()
  self.paused, self.test, self.cut_at = false, TO_SEND, self.number
  self.level = 1
  local seconds = self.seconds - self.seconds_start
  if now - self.paused_at >= AVERAGED * seconds then
    local average = (self.passed - self.passed_start) / math.max(seconds, 1e-3)
    self.peak = math.max(LEAST, math.min(self.peak, average))
    self.rate = self.peak
    self.searching, self.growth = true, GROWTH_AGAIN
  end
  self.passed_resumed, self.seconds_resumed = self.passed, self.seconds
  self.allowed, self.sent = 0, 0
end

local function advance()
  local before = self.at
  self.at = math.max(self.at, now)
  if ask.tokens then
    local filled = self.token_level + (self.at - before) * ask.tokens
    self.token_level = math.min(ask.tokens * TOKEN_BURST, filled)
  end
  local held = math.min(self.at, math.max(before, self.held_until)) - before
  self.seconds = self.seconds + held
  local passed = self.at - before - held
  if self.paused and now >= self.held_until then resume() end
  if passed <= 0 then return end
  self.level = math.min(self.level + self.rate * passed, 1 + self.rate * BURST)
  local fading = math.exp(-passed / MEMORY)
  self.allowed = self.allowed * fading + self.rate * passed
  self.sent = self.sent * fading
  if self.sent < USED * self.allowed - 1 then return end
  self.seconds = self.seconds + passed
  self.clock = self.clock + passed
  if self.searching or self.clock > 2 * self.period then
    self.rate = self.rate * math.exp(self.growth * passed)
  else
    local away = self.clock / self.period - 1
    self.rate = self.peak * (1 + (1 - CUT) * away ^ 3)
  end
  self.rate = math.min(self.rate, ceiling)
end

local function count_run(number)
  if self.run > 0 then
    self.run = self.run + 1
    self.run_to = math.max(self.run_to, number)
    self.run_from = math.min(self.run_from, number)
    if self.run_to - self.run_from + 1 <= 1.25 * self.run + 1 then return end
  end
  self.run, self.run_from, self.run_to = 1, number, number
end

local function cut()
  local used = self.allowed > 0 and self.sent / self.allowed or 1
  self.peak = math.max(LEAST, self.rate * math.min(1, math.max(LEAST_USED, used)))
  self.rate = math.max(LEAST, self.peak * CUT)
  self.period, self.clock = period(self.peak), 0
  self.searching, self.growth = false, GROWTH_AGAIN
  self.cut_at = self.number
  self.level = math.min(self.level, 1)
  self.held_until = math.max(self.held_until, now + math.min(self.round_trip, 1))
end

local function pause(asked)
  if self.paused then
    if asked >= LONG_WAIT then self.held_until = math.max(self.held_until, now + asked) end
    return
  end
  if self.pauses == 0 or self.passed > self.passed_resumed then
    self.pauses, self.paused_at = 0, now
    self.passed_start, self.seconds_start = self.passed_resumed, self.seconds_resumed
  end
  self.paused, self.test = true, NONE
  if asked < LONG_WAIT then
    local own = math.min(LONGEST_PAUSE, PAUSE * 2 ^ self.pauses)
    asked = self.pauses > 0 and math.max(asked, own) or own
  end
  self.pauses = math.min(self.pauses + 1, 10)
  self.held_until = math.max(self.held_until, now + asked)
end

local function refused(number, round_trip, retry_after)
  self.passed = self.passed - 1
  self.round_trip = math.max(round_trip, 0.9 * self.round_trip)
  count_run(number)
  local is_news = number >= self.cut_at
  local has_failed = is_news and self.test == SENT
  if is_news and not has_failed then cut() end
  local asked = math.max(retry_after, 0)
  if asked >= LONG_WAIT or has_failed or self.run >= RUN then pause(asked) end
end

local function cost(estimate)
  if self.estimated <= 0 then return estimate end
  return estimate * math.min(LARGEST, math.max(SMALLEST, self.used / self.estimated))
end

-- The seconds until the next request.
local function wait(estimate)
  local seconds = 0
  if now < self.held_until then
    seconds = self.held_until - now
  elseif self.level < 1 then
    seconds = math.max((1 - self.level) / self.rate, 1e-6)
  end
  if ask.tokens then
    local missing = math.min(cost(estimate), ask.tokens * TOKEN_BURST) - self.token_level
    if missing > 0 then seconds = math.max(seconds, missing / ask.tokens, 1e-6) end
  end
  return seconds
end

local function take(estimate)
  if self.test == TO_SEND then
    self.test = SENT
    self.held_until = now + 2 * self.round_trip + 0.05
  elseif self.test == SENT then
    self.test, self.run = NONE, 0
  end
  self.level = self.level - 1
  self.sent = self.sent + 1
  self.passed = self.passed + 1
  self.number = self.number + 1
  local reserved = cost(estimate)
  self.token_level = self.token_level - reserved
  return self.number - 1, reserved
end

advance()
for _, one in ipairs(ask.unused or {}) do
  if one[1] == self.life then
    self.level = self.level + 1
    self.sent = math.max(0, self.sent - 1)
    self.passed = self.passed - 1
    self.token_level = self.token_level + one[2]
  end
end
local settled = ask.settled
if settled and settled[1] > 0 then
  self.token_level = self.token_level + settled[3] - settled[4]
  local fading = math.exp(-settled[1] / TOKEN_MEMORY)
  self.estimated = self.estimated * fading + settled[2]
  self.used = self.used * fading + settled[4]
end
for _, one in ipairs(ask.refused or {}) do
  if one[1] == self.life then
    self.token_level = self.token_level + one[3]
    refused(one[2], one[4], one[5])
  end
end

redis.call("ZADD", KEYS[2], now + ask.expires, ask.holder)
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", now)
local holders = math.max(1, redis.call("ZCARD", KEYS[2]))

-- The share of one holder in the time ahead: one that asks first must not take everything.
local most = math.max(1, math.ceil(self.rate * ask.ahead / holders))
local granted, left = {}, 0
for index, estimate in ipairs(ask.want or {}) do
  local delay = wait(estimate)
  local is_held = now < self.held_until
  if index > most then
    left = math.max(delay - ask.ahead, ask.ahead / 2)
    break
  end
  if delay > 0 and (is_held or delay > ask.ahead) then
    left = is_held and delay or math.max(delay - ask.ahead, ask.ahead / 2)
    break
  end
  local number, reserved = take(estimate)
  granted[index] = { number, delay, reserved }
end

redis.call("SET", KEYS[1], cmsgpack.pack(self), "EX", KEPT)
redis.call("EXPIRE", KEYS[2], KEPT)
return cjson.encode({
  granted = granted, wait = left, rate = self.rate, holders = holders, life = self.life,
  paused = self.paused and math.max(0, self.held_until - now) or 0,
})
