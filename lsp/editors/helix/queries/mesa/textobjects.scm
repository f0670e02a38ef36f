; What `maf` (a section), `mat` (an item), `maa` (an argument) and `mac` (a comment) select.
(item body: (body) @class.inside) @class.around
(section body: (body) @function.inside) @function.around
(parameter) @parameter.inside
(argument) @parameter.inside
(comment) @comment.inside
(doc_comment) @comment.inside
(comment)+ @comment.around
(doc_comment)+ @comment.around
