-- Files of Mesa, also those of the library, which the server shows.
vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
  pattern = { '*.mesa' },
  callback = function() vim.bo.filetype = 'mesa' end,
})
