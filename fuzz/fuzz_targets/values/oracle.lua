-- A naive copy within limits, as one text (see plain.rs), and a text of all that a graph is.
local ffi = require "ffi"
local getmetatable, next, pcall, type, error = debug.getmetatable, next, pcall, type, error
local concat, sort, format, ffi_string = table.concat, table.sort, string.format, ffi.string
local double = ffi.new "double[1]"

local function bits(number)
  if number ~= number then return "nan" end
  double[0] = number
  return "n" .. ffi_string(double, 8)
end

-- Copies: the text, values, bytes, tables, whether none has a metatable or stands in two places; or false and why not.
local function copy(most_values, most_bytes, ...)
  local values, bytes, tables, bare, seen = 0, 0, 0, true, {}
  local function one(value, depth)
    local kind = type(value)
    if depth > 32 then error("too deep", 0) end
    values = values + 1
    if values > most_values then error("too many", 0) end
    if kind == "nil" then
      return "-"
    elseif kind == "boolean" then
      return value and "t" or "f"
    elseif kind == "number" then
      return bits(value)
    elseif kind == "string" then
      bytes = bytes + #value
      if bytes > most_bytes then error(format("more than %d bytes", most_bytes), 0) end
      return "s" .. #value .. ":" .. value
    elseif kind == "table" then
      if seen[value] or getmetatable(value) then bare = false end
      if not seen[value] then tables = tables + 1 end
      seen[value] = true
      local pairs, count = {}, 0
      for key, item in next, value do
        count = count + 1
        local first = one(key, depth + 1)
        pairs[count] = first .. one(item, depth + 1)
      end
      sort(pairs)
      return "{" .. concat(pairs) .. "}"
    end
    error(kind == "function" and kind or kind == "thread" and "coroutine" or "userdata", 0)
  end
  local function all(...)
    local texts = {}
    for index = 1, select("#", ...) do texts[index] = one((select(index, ...)), 1) end
    return concat(texts)
  end
  local done, text = pcall(all, ...)
  if not done then return false, text end
  return text, values, bytes, tables, bare
end

-- All that a graph is: what stands where, which tables are the same, in the order of `next`.
local function fingerprint(...)
  local texts, count, names, queue, last = {}, 0, {}, {}, 0
  local function note(value)
    local kind, text = type(value), nil
    if kind == "number" then
      text = bits(value)
    elseif kind == "string" and #value < 32 then
      text = "s" .. #value .. ":" .. value
    elseif kind == "nil" or kind == "boolean" then
      text = kind == "nil" and "-" or value and "t" or "f"
    else
      if not names[value] then
        last = last + 1
        queue[last], names[value] = value, format("<%s %d>", kind, last)
      end
      text = names[value]
    end
    count = count + 1
    texts[count] = text
  end
  for index = 1, select("#", ...) do note((select(index, ...))) end
  local at = 0
  while at < last do
    at = at + 1
    local value = queue[at]
    if type(value) == "string" then
      count = count + 1
      texts[count] = value
    else
      note(getmetatable(value))
    end
    if type(value) == "table" then
      for key, item in next, value do
        note(key)
        note(item)
      end
    end
    count = count + 1
    texts[count] = ";"
  end
  return concat(texts)
end

return copy, fingerprint
