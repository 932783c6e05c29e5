-- expect: error
error(1LL)
