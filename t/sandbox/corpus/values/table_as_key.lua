-- expect: ok
return { [{}] = {} }
