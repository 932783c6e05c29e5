-- Calls that put out arrays of arrays of nothing.
local row = {}
for i = 1, 100 do row[i] = "" end
local rows = {}
for i = 1, 100 do rows[i] = row end
while true do pcall(ngx.print, rows) end
