import Redis

/// The Lua scripts, each one step that must not be torn. Keys and values as in `ClusterNames`.
///
/// Those that write are given the node's mark first and refuse whoever has another one (a fencing token, in the field's words): see `marked`.
public enum ClusterScripts {
  /// A script that runs only for the owner of the mark. KEYS[1] is the mark's key and ARGV[1] the mark of whoever asks; the script's own
  /// keys and arguments follow, and it finds them from 1 on.
  static func marked(_ body: String) -> RedisScript {
    RedisScript(
      """
      local alive, mark = table.remove(KEYS, 1), table.remove(ARGV, 1)
      if redis.pcall('GET', alive) ~= mark then
        return redis.error_reply('\(RedisError.staleWord) this connection was given up, or another service works under this name')
      end
      \(body)
      """)
  }

  /// Takes the mark unless another table's stands there. KEYS: mark. ARGV: table, connection, ttl in ms. Answer: the other mark, or empty =
  /// ours. Of the same table an older connection is refused: what it says late must not undo what a newer one has said.
  package static let setMark = RedisScript(
    """
    local mark = redis.pcall('GET', KEYS[1])
    if type(mark) == 'string' then
      local table, connection = string.match(mark, '^(%x+)/(%d+)$')
      if table ~= ARGV[1] then return mark end
      if tonumber(connection) > tonumber(ARGV[2]) then
        return redis.error_reply('\(RedisError.staleWord) this connection was given up')
      end
    end
    redis.call('SET', KEYS[1], ARGV[1] .. '/' .. ARGV[2], 'PX', ARGV[3])
    return ''
    """)

  /// KEYS: mark. ARGV: ttl in ms.
  package static let keepMark = marked("return redis.call('PEXPIRE', KEYS[1], ARGV[1])")

  /// KEYS: mark. ARGV: what it is.
  package static let releaseMark = RedisScript(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")

  /// A slot that takes is free: what is noted for it runs nowhere, and goes back to its queue before the note is overwritten. Answers the
  /// lock that was noted, or an empty text.
  static let bringBack = """
    local function bringBack(notes, field, queues)
      local note = redis.call('HGET', notes, field)
      if not note then return '' end
      local group, score, lock, owner, member = string.match(note, '^(%-?%d+)\t([^\t]+)\t([^\t]+)\t([^\t]*)\t(.*)$')
      if not group then return '' end
      redis.call('HDEL', notes, field)
      if redis.pcall('GET', lock) == owner then redis.call('DEL', lock) end
      redis.pcall('ZADD', queues .. group, 'NX', score, member)
      return lock
    end
    """

  /// Takes the lowest member of several queues whose lock is free, locks it, and notes it as in flight.
  ///
  /// KEYS: in-flight hash, then the queues. ARGV: field, owner prefix, owner suffix, ttl in ms, lock prefix, lock kind (`payload` or `group`),
  /// prefix of the queues, then their groups. Answer: {1, payload, score, group, waiting, lowest score, lock that was brought back} or
  /// {0, waiting, lowest score, lock that was brought back}.
  ///
  /// Over all queues the lowest score is the longest waiting one, so groups share the slots in proportion to what waits and none starves.
  /// At most 16 members with a held lock are dropped in one call, as Python drops them, so the server is never held up.
  package static let take = marked(
    """
    \(bringBack)
    local found = bringBack(KEYS[1], ARGV[1], ARGV[7])
    local function lowest()
      local best, at, score, waiting = nil, nil, nil, 0
      for i = 2, #KEYS do
        local head = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
        if head[1] then
          waiting = waiting + redis.call('ZCARD', KEYS[i])
          if not score or tonumber(head[2]) < tonumber(score) then best, at, score = head[1], i, head[2] end
        end
      end
      return best, at, score, waiting
    end
    for try = 1, 16 do
      local member, at, score, waiting = lowest()
      if not member then return {0, 0, '', found} end
      local group = ARGV[6 + at]
      redis.call('ZREM', KEYS[at], member)
      local name = member
      if ARGV[6] == 'group' then name = group end
      local lock = ARGV[5] .. name
      local owner = ARGV[2] .. group .. ARGV[3]
      if redis.call('SET', lock, owner, 'PX', ARGV[4], 'NX') then
        redis.call('HSET', KEYS[1], ARGV[1], group .. '\\t' .. score .. '\\t' .. lock .. '\\t' .. owner .. '\\t' .. member)
        local _, _, oldest = lowest()
        return {1, member, score, group, waiting - 1, oldest or '', found}
      end
    end
    local _, _, score, waiting = lowest()
    return {0, waiting, score or '', found}
    """)

  /// The same of one queue whose members are ticks: one whose lock is held stays where it is.
  ///
  /// KEYS: in-flight hash, queue. ARGV: field, owner prefix, owner suffix, ttl in ms, lock prefix, group, index of the last member to look at,
  /// prefix of the queues. Answer as of `take`.
  package static let takeTick = marked(
    """
    \(bringBack)
    local found = bringBack(KEYS[1], ARGV[1], ARGV[8])
    local members = redis.call('ZRANGE', KEYS[2], 0, ARGV[7], 'WITHSCORES')
    local owner = ARGV[2] .. ARGV[6] .. ARGV[3]
    for i = 1, #members, 2 do
      local member, score, lock = members[i], members[i + 1], ARGV[5] .. members[i]
      if redis.call('SET', lock, owner, 'PX', ARGV[4], 'NX') then
        redis.call('ZREM', KEYS[2], member)
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[6] .. '\\t' .. score .. '\\t' .. lock .. '\\t' .. owner .. '\\t' .. member)
        local head = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
        return {1, member, score, ARGV[6], redis.call('ZCARD', KEYS[2]), head[2] or '', found}
      end
    end
    return {0, redis.call('ZCARD', KEYS[2]), members[2] or '', found}
    """)

  /// What waits. KEYS: queues. Answer: {waiting, lowest score or an empty text}.
  package static let waiting = RedisScript(
    """
    local waiting, lowest = 0, nil
    for _, queue in ipairs(KEYS) do
      local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
      if head[1] then
        waiting = waiting + redis.call('ZCARD', queue)
        if not lowest or tonumber(head[2]) < tonumber(lowest) then lowest = head[2] end
      end
    end
    return {waiting, lowest or ''}
    """)

  /// Ends a job: its lock is deleted, or kept for a while. KEYS: in-flight hash, lock. ARGV: field, owner, hold in ms (0 = delete).
  package static let finish = marked(
    """
    redis.call('HDEL', KEYS[1], ARGV[1])
    if redis.call('GET', KEYS[2]) ~= ARGV[2] then
      if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], 'NX') end
      return 0
    end
    if ARGV[3] == '0' then return redis.call('DEL', KEYS[2]) end
    return redis.call('PEXPIRE', KEYS[2], ARGV[3])
    """)

  /// Puts a job back that was taken and not started. KEYS: in-flight hash, lock, queue. ARGV: field, owner, score, member.
  package static let putBack = marked(
    """
    redis.call('HDEL', KEYS[1], ARGV[1])
    if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
    return redis.call('ZADD', KEYS[3], 'NX', ARGV[3], ARGV[4])
    """)

  /// Queues members while the master lock is still ours. KEYS: master lock, and the tick if there is one (an
  /// empty name would be refused to users that may use `librenms.*` only). ARGV: owner, `1` to leave out members
  /// whose lock is held, the tick's boundary and its lifetime in ms, the last boundary that the leader knows of (may be empty), `1` with
  /// the last of a tick's chunks, then fours of queue, score, member and the member's lock. Answer: how many were added, -1 = the lock is not
  /// ours any more, -2 = the tick was queued before. A tick is noted with its last chunk: a failure in the middle leaves it to be done again.
  /// A later boundary that the leader knows of is no other leader's run, but a clock that was set back; what is no number counts as nothing.
  package static let enqueue = marked(
    """
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
    if KEYS[2] then
      local last = redis.pcall('GET', KEYS[2])
      local boundary = type(last) == 'string' and tonumber(last)
      if boundary and boundary >= tonumber(ARGV[3]) and last ~= ARGV[5] then return -2 end
    end
    local added = 0
    for i = 7, #ARGV, 4 do
      if ARGV[2] == '0' or redis.call('EXISTS', ARGV[i + 3]) == 0 then
        added = added + redis.call('ZADD', ARGV[i], 'NX', ARGV[i + 1], ARGV[i + 2])
      end
    end
    if KEYS[2] and ARGV[6] == '1' then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
    return added
    """)

  /// Keeps locks of running jobs. KEYS: locks. ARGV: ttl in ms, then the owners. Answer: for each lock 1 = ours, else its owner.
  /// A missing lock is taken again: it lapsed or the server lost it, and the job still runs.
  package static let renew = marked(
    """
    local result = {}
    for i, lock in ipairs(KEYS) do
      local owner = redis.pcall('GET', lock)
      if type(owner) == 'table' then
        result[i] = 'a key of another type'
      elseif not owner or owner == ARGV[i + 1] then
        redis.call('SET', lock, ARGV[i + 1], 'PX', ARGV[1])
        result[i] = 1
      else
        result[i] = owner
      end
    end
    return result
    """)

  /// Ends a hold, unless a job of the same node runs under it: a slot that takes the job again has the same owner's name.
  /// KEYS: in-flight hash, lock. ARGV: owner.
  package static let releaseHold = marked(
    """
    if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
    for _, note in ipairs(redis.call('HVALS', KEYS[1])) do
      if string.find(note, '\\t' .. KEYS[2] .. '\\t', 1, true) then return 0 end
    end
    return redis.call('DEL', KEYS[2])
    """)

  /// Takes or renews a lock, the master's for one. KEYS: lock. ARGV: owner, ttl in ms. Answer: 1 = ours, else the owner.
  package static let own = marked(
    """
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return owner end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
    """)

  /// The same for the master lock, and what the server holds under a key that it should never lose; the node's mark lives on. KEYS: master
  /// lock, memory, mark. ARGV: owner, ttl in ms, the mark's ttl. Answer: {owner, or empty = ours; the memory or an empty text}.
  package static let claim = marked(
    """
    redis.call('PEXPIRE', KEYS[3], ARGV[3])
    local memory = redis.pcall('GET', KEYS[2]) or ''
    if type(memory) == 'table' then
      redis.call('DEL', KEYS[2])
      memory = ''
    end
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return {owner, memory} end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return {'', memory}
    """)

  /// A job was handed out that runs already, since its lock was gone: the lock is the running job's again. KEYS: in-flight hash, lock,
  /// queue. ARGV: field and owner of the duplicate, owner of the job that runs, ttl in ms, score with which the member waits on (empty = it
  /// does not), member.
  package static let lockAgain = marked(
    """
    redis.call('HDEL', KEYS[1], ARGV[1])
    local owner = redis.call('GET', KEYS[2])
    if not owner or owner == ARGV[2] then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
    if ARGV[5] ~= '' then redis.call('ZADD', KEYS[3], 'NX', ARGV[5], ARGV[6]) end
    return 1
    """)

  /// Gives the master lock back. KEYS: master lock. ARGV: owner.
  package static let abdicate = marked(
    """
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    return 0
    """)
}
