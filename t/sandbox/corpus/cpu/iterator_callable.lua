-- expect: cpu
for _ in setmetatable({}, { __call = function() return true end }) do end
