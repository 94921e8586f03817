-- A node begins. ARGV[2]: its number before, which is over, or nothing. Returns where in the log it begins, and the version.
call('HSET', P .. 'nodes', me, '0 ' .. last())
if ARGV[2] ~= '' then bury(ARGV[2]) end
return { last(), call('GET', P .. 'version') or '0' }
