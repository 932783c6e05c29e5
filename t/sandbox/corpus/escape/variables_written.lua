-- expect: error
ngx.var.secret = "LEAK"
