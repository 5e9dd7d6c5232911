-- Lets an operation wait for another turn, and changes nothing else: ?1 operation, ?2 its next turn.
update operation set turn_at = ?2 where id = ?1 and state < 2;
