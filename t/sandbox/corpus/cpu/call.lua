-- expect: cpu
setmetatable({}, { __call = function(self) return self() end })()
