-- expect: cpu
-- A jump that closes an upvalue and goes to itself: no loop instruction among its bytecodes.
do
    local captured
    ::again::
    local kept
    local _ = function() return kept end
    goto again
end
