-- expect: cpu
return tostring(setmetatable({}, { __tostring = tostring }))
