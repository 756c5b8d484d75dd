-- The health of a WebinarClass. Argo CD opens only the base, package, table and safe os libraries.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The class is being deleted.")
end

-- A status of an earlier generation says nothing about what was applied just now; -1 means never looked at.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at this generation yet.")
end

if obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Accepted" then
      if condition.status == "True" then
        return health("Healthy", condition.message)
      end
      if condition.status == "False" then
        return health("Degraded", condition.message)
      end
    end
  end
end
return health("Progressing", "The operator has not judged the class yet.")
