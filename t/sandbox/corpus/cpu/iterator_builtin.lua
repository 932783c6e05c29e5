-- expect: cpu
-- An iterator that is a library function: hardly an instruction of the script's own.
for _ in tostring, "x", "x" do end
