-- expect: error
-- message: unexpected symbol
x = = 1
