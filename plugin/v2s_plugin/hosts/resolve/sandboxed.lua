-- V2S inside the free version of DaVinci Resolve: hands the timeline out, takes the sounds in.
--
-- Since 21.1 a script of the free version has no io, os.execute, require, package or ffi, no window, and print is mute.
-- What is left: loadfile reads files, and exporting a timeline writes one. So the command `v2s hosts resolve` in a
-- terminal does all else; it writes Lua tables that are read here, and what it must know stands in the names of
-- exported files. mailbox.py is the other side and describes the files. Nothing of this was run inside Resolve; it is
-- tested in LuaJIT against a stand-in.

local PREFIX = "V2S "
local BIN = "V2S"
local PAUSE = 0.25 -- seconds

local function list(value) return value or {} end

local function file_name(path) return (path:gsub("\\", "/"):match("[^/]*$")) end

local function whole(number) return math.floor(number + 0.5) end

local function plain(text) return (text:gsub("%W", "%%%0")) end

-- A table that the other side wrote; nil where it is not there. It is whole when it has its name.
local function letter(env, name)
  local path = env.mailbox .. "/" .. name
  if not env.bmd.fileexists(path) then return nil end
  local chunk = loadfile(path)
  return chunk and chunk() or nil
end

-- Whether the command still waits for us: it says so anew every few seconds.
local function waited_for(env, id)
  local request = letter(env, "request.lua")
  return request ~= nil and request.id == id and os.time() <= request.valid_until
end

local function send(env, timeline, name)
  return timeline:Export(env.mailbox .. "/" .. name .. ".otio", env.resolve.EXPORT_OTIO)
end

-- "first_last" in frames from the timeline's start, "all", or "none" where the editor marked nothing.
local function stretch(timeline, scope)
  local zero = timeline:GetStartFrame()
  if scope == "marks" then
    local marks = list(timeline:GetMarkInOut())
    local mark = marks.video or marks.audio or {}
    if not (mark["in"] and mark["out"]) then return "none" end
    local first, last = mark["in"], mark["out"]
    if zero <= first and first >= timeline:GetEndFrame() - zero then -- counted from midnight
      first, last = first - zero, last - zero
    end
    return ("%d_%d"):format(first, last)
  elseif scope == "clip" then
    local item = timeline:GetCurrentVideoItem()
    if not item then return "none" end
    return ("%d_%d"):format(item:GetStart() - zero, item:GetEnd() - zero - 1)
  end
  return "all"
end

local KINDS = { "video", "audio", "subtitle" }

local function state_of(env, pool, timeline)
  local state = { tracks = {}, marks = list(timeline:GetMarkInOut()) }
  state.timecode, state.folder, state.page =
    timeline:GetCurrentTimecode(), pool:GetCurrentFolder(), env.resolve:GetCurrentPage()
  for _, kind in ipairs(KINDS) do
    for index = 1, timeline:GetTrackCount(kind) do
      table.insert(state.tracks, {
        kind = kind,
        index = index,
        enabled = timeline:GetIsTrackEnabled(kind, index),
        locked = timeline:GetIsTrackLocked(kind, index),
      })
    end
  end
  return state
end

local function same_marks(one, other)
  for _, kind in ipairs({ "video", "audio" }) do
    local a, b = one[kind] or {}, other[kind] or {}
    if a["in"] ~= b["in"] or a["out"] ~= b["out"] then return false end
  end
  return true
end

-- Puts back what placing moved; returns how many things could not be, each read back.
local function put_back(env, pool, timeline, state)
  local lost = 0
  for _, track in ipairs(state.tracks) do
    timeline:SetTrackEnable(track.kind, track.index, track.enabled)
    timeline:SetTrackLock(track.kind, track.index, track.locked)
    if
      timeline:GetIsTrackEnabled(track.kind, track.index) ~= track.enabled
      or timeline:GetIsTrackLocked(track.kind, track.index) ~= track.locked
    then
      lost = lost + 1
    end
  end
  pool:SetCurrentFolder(state.folder)
  if state.page then env.resolve:OpenPage(state.page) end
  if not same_marks(list(timeline:GetMarkInOut()), state.marks) then
    timeline:ClearMarkInOut("all")
    for kind, mark in pairs(state.marks) do timeline:SetMarkInOut(mark["in"], mark["out"], kind) end
  end
  if state.timecode then timeline:SetCurrentTimecode(state.timecode) end
  if not same_marks(list(timeline:GetMarkInOut()), state.marks) then lost = lost + 1 end
  if timeline:GetCurrentTimecode() ~= state.timecode then lost = lost + 1 end
  return lost
end

local Placer = {}
Placer.__index = Placer

function Placer:name(index) return self.timeline:GetTrackName("audio", index) or "" end

function Placer:our_tracks()
  local found = {}
  for index = 1, self.timeline:GetTrackCount("audio") do
    if self:name(index):sub(1, #PREFIX) == PREFIX then table.insert(found, index) end
  end
  return found
end

local function belongs(track, family) return track == family or track:match("^" .. plain(family) .. " %d+$") ~= nil end

local function same_sound(track, family)
  local sound = plain((family:gsub(" take %d+$", "")))
  for _, tail in ipairs({ "$", " %d+$", " take %d+$", " take %d+ %d+$" }) do
    if track:match("^" .. sound .. tail) then return true end
  end
  return false
end

-- The path of a clip that an earlier run placed, nil for the editor's own.
function Placer:our_file(item)
  local media = item:GetMediaPoolItem()
  local path = media and media:GetClipProperty("File Path")
  local folder = self.orders.media_folder:gsub("\\", "/") .. "/"
  return path and path:gsub("\\", "/"):sub(1, #folder) == folder and path or nil
end

function Placer:gives_way(item, track)
  if self.orders.everything then return true end
  local start, stop = item:GetStart() - self.zero, item:GetEnd() - self.zero
  for _, place in ipairs(self.orders.places) do
    if same_sound(track, place.family) and start < place.start + place.length and place.start < stop then return true end
  end
  return false
end

-- Takes the sounds of an earlier run off; marks places that are filled already, which are left as they stand.
function Placer:make_room()
  local going = {}
  for _, index in ipairs(self:our_tracks()) do
    self.timeline:SetTrackLock("audio", index, false)
    for _, item in ipairs(list(self.timeline:GetItemListInTrack("audio", index))) do
      local path, track = self:our_file(item), self:name(index)
      if path then
        local there = false
        for _, place in ipairs(self.orders.places) do
          if
            not there
            and not place.filled
            and file_name(place.path) == file_name(path)
            and item:GetStart() - self.zero == place.start
            and belongs(track, place.family)
          then
            place.filled, there = true, true
            self.kept = self.kept + 1
          end
        end
        if not there and self:gives_way(item, track) then table.insert(going, item) end
      end
    end
  end
  if #going > 0 then self.timeline:DeleteClips(going, false) end
  self.removed = #going
end

local function by_name(folder)
  local found = {}
  for _, item in ipairs(list(folder:GetClipList())) do
    found[file_name(item:GetClipProperty("File Path") or "")] = item
  end
  return found
end

function Placer:import()
  local root, folder = self.pool:GetRootFolder(), nil
  for _, sub in ipairs(list(root:GetSubFolderList())) do
    if sub:GetName() == BIN then folder = sub end
  end
  folder = folder or self.pool:AddSubFolder(root, BIN)
  if folder then self.pool:SetCurrentFolder(folder) end
  local here = self.pool:GetCurrentFolder()
  local known, new = by_name(here), {}
  for _, place in ipairs(self.orders.places) do
    if not place.filled and not known[file_name(place.path)] then
      known[file_name(place.path)] = true
      table.insert(new, place.path)
    end
  end
  if #new > 0 then self.pool:ImportMedia(new) end
  return by_name(here)
end

function Placer:new_track(place, kind, names)
  local before = self.timeline:GetTrackCount("audio")
  self.timeline:AddTrack("audio", kind)
  local index = self.timeline:GetTrackCount("audio")
  if index ~= before + 1 then return nil end
  local name, number = place.family, 1
  while names[name] do
    number = number + 1
    name = place.family .. " " .. number
  end
  self.timeline:SetTrackName("audio", index, name)
  if self:name(index) ~= name then -- it could not be told from the editor's tracks
    self.timeline:DeleteTrack("audio", index)
    return nil
  end
  self.timeline:SetTrackEnable("audio", index, place.heard)
  if self.timeline:GetIsTrackEnabled("audio", index) ~= place.heard then self.unswitched = self.unswitched + 1 end
  return index
end

function Placer:free_track(place, kind)
  local start, stop, names = self.zero + place.start, self.zero + place.start + place.length, {}
  for _, index in ipairs(self:our_tracks()) do
    local name = self:name(index)
    names[name] = true
    local free = belongs(name, place.family) and self.timeline:GetTrackSubType("audio", index) == kind
    for _, item in ipairs(free and list(self.timeline:GetItemListInTrack("audio", index)) or {}) do
      if item:GetStart() < stop and start < item:GetEnd() then free = false end
    end
    if free then return index end
  end
  return self:new_track(place, kind, names)
end

-- Places one sound; false where Resolve does not take it.
function Placer:append(place, file)
  if not file then return false end
  local track = self:free_track(place, tostring(file:GetClipProperty("Audio Ch")) == "2" and "stereo" or "mono")
  if not track then return false end
  -- recordFrame counts from midnight; startFrame and endFrame are left out, they would count a WAV at 24 a second.
  local info = { mediaPoolItem = file, mediaType = 2, trackIndex = track, recordFrame = whole(self.zero + place.start) }
  local item = list(self.pool:AppendToTimeline({ info }))[1]
  local start = item and item:GetStart() -- nil also for an item on a range that is taken
  if not start then return false end
  self.placed = self.placed + 1
  if start ~= self.zero + place.start or math.abs(item:GetDuration() - place.length) > 1 then self.off = self.off + 1 end
  return true
end

function Placer:run()
  self:make_room()
  local files = self:import()
  for _, place in ipairs(self.orders.places) do
    if not place.filled and not self:append(place, files[file_name(place.path)]) then return false end
  end
  return true
end

-- Where the timeline takes no sound: the scored one beside it, under a name that is free. Returns whether it is there.
local function import_beside(project, pool, timeline, orders)
  local names = {}
  for index = 1, project:GetTimelineCount() do names[project:GetTimelineByIndex(index):GetName()] = true end
  local name, number = timeline:GetName() .. " V2S", 1
  while names[name] do
    number = number + 1
    name = timeline:GetName() .. " V2S " .. number
  end
  local options = { timelineName = name, importSourceClips = true, sourceClipsPath = orders.media_folder }
  local made = pool:ImportTimelineFromFile(orders.output, options)
  project:SetCurrentTimeline(timeline)
  return made ~= nil
end

-- First frame, the one after the last, and name of every clip on the video tracks: what a re-cut changes.
local function pictures_of(timeline)
  local found = {}
  for index = 1, timeline:GetTrackCount("video") do
    for _, item in ipairs(list(timeline:GetItemListInTrack("video", index))) do
      table.insert(found, item:GetStart() .. " " .. item:GetEnd() .. " " .. tostring(item:GetName()))
    end
  end
  return table.concat(found, "\n")
end

local function place(env, project, timeline, orders, pictures)
  local pool = project:GetMediaPool()
  local state = state_of(env, pool, timeline)
  local placer = setmetatable({
    pool = pool,
    timeline = timeline,
    orders = orders,
    zero = timeline:GetStartFrame(),
    placed = 0,
    kept = 0,
    removed = 0,
    off = 0,
    unswitched = 0,
  }, Placer)
  local changed = pictures_of(timeline) ~= pictures and 1 or 0
  local how = "timeline"
  if not placer:run() then how = import_beside(project, pool, timeline, orders) and "beside" or "nowhere" end
  local lost = put_back(env, pool, timeline, state)
  local answer = ("%s.answer.%s.placed_%d.kept_%d.removed_%d.off_%d.unswitched_%d.lost_%d.changed_%d"):format(
    orders.id, how, placer.placed, placer.kept, placer.removed, placer.off, placer.unswitched, lost, changed
  )
  send(env, timeline, answer)
end

-- env: resolve, bmd, and mailbox, the folder of letters.
local function run(env)
  local request = letter(env, "request.lua")
  if not request or not waited_for(env, request.id) then return "no request" end
  local project = env.resolve:GetProjectManager():GetCurrentProject()
  local timeline = project and project:GetCurrentTimeline()
  if not timeline then return "no timeline" end
  local rate = tostring(timeline:GetSetting("timelineFrameRate")):gsub("%s", "-"):gsub("%.", "p")
  local pictures = pictures_of(timeline)
  send(env, timeline, ("%s.cut.rate_%s.range_%s"):format(request.id, rate, stretch(timeline, request.scope)))
  while waited_for(env, request.id) do
    local orders = letter(env, "place.lua")
    if orders and orders.id == request.id then
      place(env, project, timeline, orders, pictures)
      return "placed"
    end
    env.bmd.wait(PAUSE)
  end
  return "given up"
end

return run
