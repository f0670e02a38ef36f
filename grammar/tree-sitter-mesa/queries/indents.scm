; One step in brackets; a value or clause that goes on stands one step in too.
[
  (body)
  (parameters)
  (arguments)
  (parenthesized)
  (list)
  (axes)
  (use_list)
  (level_list)
] @indent.begin

["}" ")" "]"] @indent.branch @indent.end

(comment) @indent.auto
(doc_comment) @indent.auto
