-- Calls one of LuaJIT's string functions: what it returns as a list of packed values, or its error message.
jit.off()
jit.flush()
local string, select, pcall, type = string, select, pcall, type
local function pack(...) return { n = select("#", ...), ... } end
local calls = {}

function calls.gmatch(notes, subject, pattern)
  local following = string.gmatch(subject, pattern)
  while true do
    local values = pack(following())
    if values[1] == nil then return end
    notes[#notes + 1] = values
  end
end

function calls.gsub_function(notes, subject, pattern)
  local values = pack(string.gsub(subject, pattern, function(...) notes[#notes + 1] = pack(...) end))
  notes[#notes + 1] = values
end

return function(name, ...)
  local notes = {}
  local ok, message
  if calls[name] then
    ok, message = pcall(calls[name], notes, ...)
  else
    local values = pack(pcall(string[name], ...))
    ok, message = values[1], values[2]
    notes[1] = { n = values.n - 1, unpack(values, 2, values.n) }
  end
  if ok then return notes end
  return (string.gsub(message, "^oracle:%d+: ", ""))
end
