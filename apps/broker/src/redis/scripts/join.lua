-- A node begins. ARGV[2]: its number before, which is over, or nothing. Returns where in the log it begins, and the version.
call('HSET', P .. 'nodes', me, '0 ' .. last())
if ARGV[2] ~= '' then bury(ARGV[2]) end
-- Whoever wrote this store before may have counted nothing.
if call('EXISTS', P .. 'shares:bytes') == 0 then
  for _, record in ipairs(call('HVALS', P .. 'retained')) do
    local owner, bytes = shareOf(record)
    share(owner, 1, bytes)
  end
end
return { last(), call('GET', P .. 'version') or '0' }
