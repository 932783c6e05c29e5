-- What Lua in a thread has in place of what belongs to requests. Nothing here or in what a thread gets may ask which
-- request runs: that is the event loop's.
local prim, ngx, shared = ...

local error, pairs = error, pairs

package.loaded.ngx = ngx

-- What is left of ngx when all families have put their functions there.
local KEPT = {
    "config", "cookie_time", "crc32_long", "crc32_short", "decode_args", "decode_base64", "encode_args",
    "encode_base64", "get_phase", "hmac_sha1", "http_time", "localtime", "md5", "md5_bin", "now", "null",
    "parse_http_time", "quote_sql_str", "re", "sha1_bin", "shared", "time", "today", "update_time", "utctime",
}

-- The levels that the families name, for the lines that they log.
ngx.ERR, ngx.WARN, ngx.DEBUG = 4, 5, 8

shared.log, shared.logs = prim.log, prim.logs

function shared.in_phase() return false end

function shared.check_phase(_, level) error("API disabled in the current context", (level or 1) + 2) end

function ngx.get_phase() return "init" end

function shared.seal()
    local kept = {}
    for i = 1, #KEPT do kept[KEPT[i]] = ngx[KEPT[i]] end
    for name in pairs(ngx) do
        -- Levels are read when a line is logged.
        if kept[name] == nil and type(ngx[name]) ~= "number" then ngx[name] = nil end
    end
end
