-- expect: ok
-- says: 1ffff true
-- Numbers of digits and shifts beyond all bounds.
local long = bit.tohex(65535, -2147483648)
pcall(bit.tohex, 0 / 0, 1 / 0)
for _, n in ipairs { -1, 32, 64, 2 ^ 31, -2 ^ 31, 1e300 } do
    bit.lshift(1, n) bit.rshift(1, n) bit.arshift(1, n) bit.rol(1, n) bit.ror(1, n)
end
ngx.say(bit.tohex(0x1ffff, 5), " ", long == ("0"):rep(#long - 4) .. "FFFF")
