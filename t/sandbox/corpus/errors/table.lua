-- expect: error
error({ message = "LEAK" })
