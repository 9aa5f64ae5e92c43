#include "learning/store/redis_scripts.h"

namespace crossover::learning::scripts {

namespace {

/// KEYS: primary, owed, uncaptured, experience, Q value. ARGV: mode, token, the experience's open JSON,
/// reward, the Q value's open JSON, least step; for a second try, the Q value as it was and its members that
/// are not ours; the names of its fields for the value (also as JSON), the agent, the state and the action.
/// Answers {"recorded" or "again", value, visits}; {"refused", primary}; {"merge", Q value as it is};
/// {"unreadable"}. Numbers are written with 17 digits: no other double reads as the same. A Q value that is a
/// hash stays one.
constexpr const char* kRecord = R"lua(
local primary = redis.call('GET', KEYS[1])
if primary and primary ~= 'redis' then return {'refused', primary} end

local value, visits, version, kind = 0, 0, 0, redis.call('TYPE', KEYS[5]).ok
local members = ''
if kind == 'string' then
  local stored = redis.call('GET', KEYS[5])
  local good, known = pcall(cjson.decode, stored)
  if not good or type(known) ~= 'table' then return {'unreadable'} end
  value = known[ARGV[9]] or known.value
  if type(value) ~= 'number' then return {'unreadable'} end
  if type(known.visits) == 'number' then visits = known.visits end
  if type(known.version) == 'number' then version = known.version end
  for name in pairs(known) do
    if name ~= 'agent_id' and name ~= 'state_hash' and name ~= 'action' and name ~= 'value' and name ~= 'visits'
        and name ~= 'version' and name ~= ARGV[9] and name ~= ARGV[11] and name ~= ARGV[12] and name ~= ARGV[13] then
      if ARGV[7] ~= stored then return {'merge', stored} end
      members = ARGV[8]
    end
  end
elseif kind == 'hash' then
  local known = redis.call('HMGET', KEYS[5], 'value', 'visits', 'version', ARGV[9])
  value, visits, version = tonumber(known[4] or known[1]), tonumber(known[2] or '0'), tonumber(known[3] or '0')
  if not value or not visits or not version then return {'unreadable'} end
elseif kind ~= 'none' then
  return {'unreadable'}
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  return {'again', string.format('%.17g', value), string.format('%.0f', visits)}
end

local now = redis.call('TIME')
version = math.max(now[1] * 1000000 + now[2], version + 1)
local step = math.max(1 / (visits + 1), tonumber(ARGV[6]))
value = value + step * (tonumber(ARGV[4]) - value)
visits = visits + 1
local number, count, stamp = string.format('%.17g', value), string.format('%.0f', visits), string.format('%.0f', version)

redis.call('SET', KEYS[4], ARGV[3] .. ',"version":' .. stamp .. '}')
if kind == 'hash' then
  redis.call('HSET', KEYS[5], ARGV[9], number, 'visits', count, 'version', stamp)
  if ARGV[9] ~= 'value' then redis.call('HDEL', KEYS[5], 'value') end
else
  redis.call('SET', KEYS[5], ARGV[5] .. ',' .. ARGV[10] .. ':' .. number .. ',"visits":' .. count .. ',"version":' .. stamp .. members .. '}',
             'KEEPTTL')
end
if ARGV[1] == 'dual' then
  redis.call('HSET', KEYS[2], KEYS[4], stamp, KEYS[5], stamp)
else
  redis.call('SET', KEYS[3], ARGV[2])
end
return {'recorded', number, count}
)lua";

/// KEYS: any. ARGV: the name of a Q value's value. Answers for each the text, or {value, visits} of a hash,
/// or nothing.
constexpr const char* kRead = R"lua(
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then found[i] = redis.call('GET', key)
  elseif kind == 'hash' then
    local known = redis.call('HMGET', key, ARGV[1], 'value', 'visits')
    found[i] = {known[1] or known[2], known[3]}
  else found[i] = false end
end
return found
)lua";

/// KEYS: primary, owed, uncaptured. Answers {primary or "", keys owed, "1" where something is uncaptured}.
constexpr const char* kLook = R"lua(
return {redis.call('GET', KEYS[1]) or '', tostring(redis.call('HLEN', KEYS[2])), tostring(redis.call('EXISTS', KEYS[3]))}
)lua";

/// KEYS: primary, uncaptured. ARGV: a token. What a Redis holds that no engine has met is captured by nobody.
constexpr const char* kClaimControl = R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 then return '0' end
redis.call('SET', KEYS[1], 'redis')
redis.call('SET', KEYS[2], ARGV[1])
return '1'
)lua";

/// KEYS: primary, mover, uncaptured. ARGV: this attempt's name. One that takes over an attempt does not ask
/// for what is uncaptured: nothing was written since the attempt began.
constexpr const char* kBeginHandover = R"lua(
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'elsewhere' end
local primary = redis.call('GET', KEYS[1])
if primary == 'moving' then return 'begun' end
if primary and primary ~= 'redis' then return 'elsewhere' end
if not primary or redis.call('EXISTS', KEYS[3]) == 1 then return 'uncaptured' end
redis.call('SET', KEYS[1], 'moving')
return 'begun'
)lua";

/// KEYS: primary, mover. ARGV: this attempt's name, what it must say ("": anything), what it says then.
constexpr const char* kTurnPrimary = R"lua(
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return '0' end
if ARGV[2] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[2] then return '0' end
redis.call('SET', KEYS[1], ARGV[3])
return '1'
)lua";

/// KEYS: owed. ARGV: key, version, key, version, ... Answers how many were struck off.
constexpr const char* kForgetOwed = R"lua(
local struck = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then struck = struck + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return tostring(struck)
)lua";

/// KEYS: any. Answers for each {"string", text, ms to live} or {"hash", {name, value, ...}, ms to live}, or
/// nothing.
constexpr const char* kFetch = R"lua(
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then found[i] = {kind, redis.call('GET', key), tostring(redis.call('PTTL', key))}
  elseif kind == 'hash' then found[i] = {kind, redis.call('HGETALL', key), tostring(redis.call('PTTL', key))}
  else found[i] = false end
end
return found
)lua";

/// KEYS: experiences and Q values. ARGV for each: version, JSON, time of expiry in ms or ""; then the names
/// of a Q value's value and state. What is there in the same version or a newer one stays. A Q value that is
/// a hash stays one. Answers how many were written.
constexpr const char* kCarry = R"lua(
local written = 0
local value_name, state_name = ARGV[3 * #KEYS + 1], ARGV[3 * #KEYS + 2]
for i, key in ipairs(KEYS) do
  local version, text, expiry = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local kind, held = redis.call('TYPE', key).ok, -1
  if kind == 'string' then
    local good, known = pcall(cjson.decode, redis.call('GET', key))
    held = good and type(known) == 'table' and tonumber(known.version) or 0
  elseif kind == 'hash' then
    held = tonumber(redis.call('HGET', key, 'version') or '0') or 0
  end
  if held < tonumber(version) then
    local value = cjson.decode(text)
    if kind == 'hash' and value[state_name] then
      redis.call('HSET', key, value_name, string.format('%.17g', value[value_name]), 'visits', string.format('%.0f', value.visits),
                 'version', version)
      if value_name ~= 'value' then redis.call('HDEL', key, 'value') end
    else
      if kind ~= 'string' then redis.call('DEL', key) end
      redis.call('SET', key, text)
      if expiry ~= '' then redis.call('PEXPIREAT', key, expiry) end
    end
    written = written + 1
  end
end
return tostring(written)
)lua";

}  // namespace

const Script& record() {
    static const Script script(kRecord);
    return script;
}
const Script& read() {
    static const Script script(kRead);
    return script;
}
const Script& look() {
    static const Script script(kLook);
    return script;
}
const Script& begin_handover() {
    static const Script script(kBeginHandover);
    return script;
}
const Script& turn_primary() {
    static const Script script(kTurnPrimary);
    return script;
}
const Script& forget_owed() {
    static const Script script(kForgetOwed);
    return script;
}

const Script& claim_control() {
    static const Script script(kClaimControl);
    return script;
}
const Script& fetch() {
    static const Script script(kFetch);
    return script;
}
const Script& carry() {
    static const Script script(kCarry);
    return script;
}

}  // namespace crossover::learning::scripts
