-- The health of a Webinar. Argo CD opens only the base, package, table and safe os libraries.
local function health(status, message)
  return { status = status, message = message }
end

local function condition(kind)
  if obj.status == nil or obj.status.conditions == nil then
    return nil
  end
  for _, candidate in ipairs(obj.status.conditions) do
    if candidate.type == kind then
      return candidate
    end
  end
  return nil
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The Webinar is being deleted.")
end

-- A status of an earlier generation says nothing about what was applied just now; -1 means never looked at.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at this generation yet.")
end

local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled.message)
end

local ready = condition("Ready")
if ready == nil then
  return health("Progressing", "The operator has not judged the Webinar yet.")
end
if ready.status == "False" then
  return health("Degraded", ready.message)
end
if ready.status ~= "True" then
  return health("Progressing", ready.message)
end
if ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
-- Every other reason of a True is healthy, those of later versions too.
return health("Healthy", ready.message)
