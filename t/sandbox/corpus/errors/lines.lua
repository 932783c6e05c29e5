-- expect: error
-- One verdict is one line, whatever the message says.
error("one\n2026/01/01 00:00:00 [alert] 1#1: LEAK\r\n2026/01/01 00:00:00 [emerg] 1#1: LEAK\n", 0)
