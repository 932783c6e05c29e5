-- expect: time
-- profile: patient
return (("x"):rep(3000):match((".-"):rep(5) .. "y"))
