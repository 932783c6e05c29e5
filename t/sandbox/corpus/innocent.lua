-- A neighbour's script: some honest work.
local words = {}
for word in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = word:upper() end
table.sort(words)
ngx.print(table.concat(words, " "), " ", tostring(ngx.var.arg_n))
