-- expect: error
error(0 / 0)
