-- expect: error
-- No format of the logger's.
error("%s%s%s%n%V%p%1000000d", 0)
