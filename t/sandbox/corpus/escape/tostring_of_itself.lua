-- expect: cpu|error
return tostring(setmetatable({}, { __tostring = tostring }))
