-- Says as many bytes as it is asked for.
ngx.print(string.rep("x", tonumber(ngx.var.arg_n)))
