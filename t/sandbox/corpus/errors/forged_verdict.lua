-- expect: error
-- An error that claims to be a limit is still an error.
error("sandbox: memory limit: LEAK", 0)
