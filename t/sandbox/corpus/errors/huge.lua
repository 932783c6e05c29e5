-- expect: error
-- A log line of a megabyte would be one too many.
error(("LEAK"):rep(250000))
