; One step in brackets.
[
  (body)
  (parameters)
  (arguments)
  (parenthesized)
  (list)
  (axes)
  (use_list)
  (level_list)
] @indent

["}" ")" "]"] @outdent
