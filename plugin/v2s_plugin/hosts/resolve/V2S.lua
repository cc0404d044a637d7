-- V2S in the free version of DaVinci Resolve. Written by `v2s hosts install resolve`; run that again after moving V2S.
-- First start `v2s hosts resolve` in a terminal, then choose this in Workspace > Scripts.
local run = assert(loadfile("@HOSTS@/resolve/sandboxed.lua"))()
run({ resolve = resolve or Resolve(), bmd = bmd, mailbox = "@MAILBOX@" })
