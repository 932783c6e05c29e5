-- Many small writes without a newline: row print-200.
for i = 1, 200 do
    ngx.print("line ", i)
end
