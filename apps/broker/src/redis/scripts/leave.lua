-- A node ends in order.
if call('HEXISTS', P .. 'nodes', me) == 1 then bury(me) end
return 1
