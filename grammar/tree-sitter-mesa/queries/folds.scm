; Bodies and what spreads over lines.
[
  (body)
  (parameters)
  (arguments)
  (list)
  (use_list)
  (level_list)
] @fold

(file_comment)+ @fold
(doc_comment)+ @fold
