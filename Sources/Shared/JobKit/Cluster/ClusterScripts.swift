import Redis

/// The Lua scripts, each one step that must not be torn. Keys and values as in `ClusterNames`.
public enum ClusterScripts {
  /// Takes the lowest member of several queues whose lock is free, locks it, and notes it as in flight.
  ///
  /// KEYS: in-flight hash, then the queues. ARGV: field, owner prefix, owner suffix, ttl in ms, lock prefix, lock kind (`payload` or `group`),
  /// then the queues' groups. Answer: {1, payload, score, group, waiting, lowest score} or {0, waiting, lowest score}.
  ///
  /// Over all queues the lowest score is the longest waiting one, so groups share the slots in proportion to what waits and none starves.
  /// At most 16 members with a held lock are dropped in one call, as Python drops them, so the server is never held up.
  public static let take = RedisScript(
    """
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
      if not member then return {0, 0, ''} end
      local group = ARGV[5 + at]
      redis.call('ZREM', KEYS[at], member)
      local name = member
      if ARGV[6] == 'group' then name = group end
      local lock = ARGV[5] .. name
      local owner = ARGV[2] .. group .. ARGV[3]
      if redis.call('SET', lock, owner, 'PX', ARGV[4], 'NX') then
        redis.call('HSET', KEYS[1], ARGV[1], group .. '\\t' .. score .. '\\t' .. lock .. '\\t' .. owner .. '\\t' .. member)
        local _, _, oldest = lowest()
        return {1, member, score, group, waiting - 1, oldest or ''}
      end
    end
    local _, _, score, waiting = lowest()
    return {0, waiting, score or ''}
    """)

  /// What waits. KEYS: queues. Answer: {waiting, lowest score or an empty text}.
  public static let waiting = RedisScript(
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
  public static let finish = RedisScript(
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
  public static let putBack = RedisScript(
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
  /// A later boundary that the leader knows of is no other leader's run, but a clock that was set back.
  public static let enqueue = RedisScript(
    """
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
    if KEYS[2] then
      local last = redis.call('GET', KEYS[2])
      if last and tonumber(last) >= tonumber(ARGV[3]) and last ~= ARGV[5] then return -2 end
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
  public static let renew = RedisScript(
    """
    local result = {}
    for i, lock in ipairs(KEYS) do
      local owner = redis.call('GET', lock)
      if not owner or owner == ARGV[i + 1] then
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
  public static let releaseHold = RedisScript(
    """
    if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
    for _, note in ipairs(redis.call('HVALS', KEYS[1])) do
      if string.find(note, '\\t' .. KEYS[2] .. '\\t', 1, true) then return 0 end
    end
    return redis.call('DEL', KEYS[2])
    """)

  /// Takes or renews a lock, the master's for one. KEYS: lock. ARGV: owner, ttl in ms. Answer: 1 = ours, else the owner.
  public static let own = RedisScript(
    """
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return owner end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
    """)

  /// The same for the master lock, and what the server holds under a key that it should never lose. KEYS: master lock, memory. ARGV: owner,
  /// ttl in ms. Answer: {owner, or empty = ours; the memory or an empty text}.
  public static let claim = RedisScript(
    """
    local memory = redis.call('GET', KEYS[2]) or ''
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return {owner, memory} end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return {'', memory}
    """)

  /// Gives the master lock back. KEYS: master lock. ARGV: owner.
  public static let abdicate = RedisScript(
    """
    if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
    return 0
    """)
}
