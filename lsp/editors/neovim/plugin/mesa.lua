-- Starts with `require('mesa').setup()`, or by itself unless `vim.g.mesa_manual` is set.
if vim.g.loaded_mesa then return end
vim.g.loaded_mesa = true

vim.api.nvim_create_autocmd('VimEnter', {
  callback = function()
    if not vim.g.mesa_manual then require('mesa').setup() end
  end,
})
