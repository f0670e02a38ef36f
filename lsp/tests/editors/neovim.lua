-- Works in Neovim as a person does, and writes down what is on the screen.
--
-- In: `MESA_OUT`, the file to write. Out: a part for each feature, headed `## name`.

local out = assert(io.open(os.getenv('MESA_OUT'), 'w'))

local function part(name, text)
  if type(text) == 'table' then text = table.concat(text, '\n') end
  out:write('## ' .. name .. '\n' .. text .. '\n')
  out:flush()
end

-- Until `ready` says something true, which it gives back.
local function wait(what, ready)
  local got
  local ok = vim.wait(tonumber(os.getenv('MESA_PATIENCE') or '20000'), function()
    got = ready()
    return got
  end, 20)
  if not ok then
    part('gave up', 'waiting for ' .. what)
    vim.cmd('cquit!')
  end
  return got
end

-- The screen as text, windows and floats included.
local function screen()
  vim.cmd('redraw!')
  local rows = {}
  for row = 1, vim.o.lines do
    local cells = {}
    for column = 1, vim.o.columns do
      cells[#cells + 1] = vim.fn.screenstring(row, column)
    end
    rows[#rows + 1] = (table.concat(cells):gsub('%s+$', ''))
  end
  return rows
end

local function lines(buf) return vim.api.nvim_buf_get_lines(buf or 0, 0, -1, false) end

local function go(pattern, offset)
  vim.fn.cursor(1, 1)
  assert(vim.fn.search(pattern, 'W') > 0, pattern)
  vim.fn.cursor(vim.fn.line('.'), vim.fn.col('.') + (offset or 0))
end

local function replace(pattern, with)
  go(pattern)
  local line = vim.api.nvim_get_current_line()
  local start, stop = vim.fn.matchstrpos(line, pattern)[2], vim.fn.matchstrpos(line, pattern)[3]
  local row = vim.fn.line('.') - 1
  vim.api.nvim_buf_set_text(0, row, start, row, stop, { with })
  vim.fn.cursor(row + 1, start + 1)
  -- without a screen nothing tells the plugin that the cursor moved
  vim.api.nvim_exec_autocmds('CursorMoved', { buffer = 0 })
end

local function floating()
  for _, win in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(win).relative ~= '' then
      local text = table.concat(lines(vim.api.nvim_win_get_buf(win)), '\n')
      if text ~= '' then return text end
    end
  end
end

local function close_floats()
  for _, win in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(win).relative ~= '' then vim.api.nvim_win_close(win, true) end
  end
end

-- Figures in the text, where Neovim can show them: not in the pictures, which are of every version.
local function hints()
  if not (vim.lsp.inlay_hint and vim.lsp.inlay_hint.get) then return end
  local shown = wait('hints', function()
    local all = vim.lsp.inlay_hint.get({ bufnr = 0 })
    return #all > 1 and all
  end)
  part('hints', vim.tbl_map(function(hint) return hint.inlay_hint.label end, shown))
  vim.lsp.inlay_hint.enable(false, { bufnr = 0 })
end

local function main()
  vim.diagnostic.config({ virtual_text = true })
  local here = vim.api.nvim_get_current_win()
  part('filetype', vim.bo.filetype .. ' ' .. vim.bo.commentstring .. ' ' .. vim.bo.shiftwidth)

  -- Diagnostics as they are made.
  wait('a diagnostic', function() return #vim.diagnostic.get(0) > 0 end)
  local found = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do
    found[#found + 1] = ('%d:%d %s %s'):format(d.lnum + 1, d.col + 1, d.code or '', d.message)
  end
  part('diagnostics', found)
  part('screen with a mistake', screen())

  -- They go when the mistake goes.
  replace('tp: 6', 'tp: 8')
  wait('no diagnostic', function() return #vim.diagnostic.get(0) == 0 end)
  part('mended', vim.api.nvim_get_current_line())
  hints()

  -- Hover.
  go('Llama3_8B', 2)
  vim.lsp.buf.hover()
  part('hover', wait('a hover', floating))
  close_floats()

  -- Completion: what the popup offers. Typed as `shard …`.
  go('heads, ffn')
  local row = vim.fn.line('.') - 1
  vim.api.nvim_buf_set_text(0, row, 2, row, -1 + #vim.api.nvim_get_current_line() + 1, { 'shard ' })
  vim.fn.cursor(row + 1, 9)
  local encoding = 'utf-16'
  local answers = wait('completion', function()
    local params = vim.lsp.util.make_position_params(0, encoding)
    params.position = { line = row, character = 8 }
    return vim.lsp.buf_request_sync(0, 'textDocument/completion', params, 5000)
  end)
  local labels = {}
  for _, answer in pairs(answers) do
    local items = answer.result and (answer.result.items or answer.result) or {}
    for _, item in ipairs(items) do labels[#labels + 1] = item.label end
  end
  part('completion', labels)
  vim.cmd('undo')
  wait('no diagnostic again', function() return #vim.diagnostic.get(0) == 0 end)

  -- Definition: into the library, which can be read and not written.
  go('Llama3_8B')
  vim.lsp.buf.definition()
  wait('the library', function()
    local name = vim.api.nvim_buf_get_name(0)
    return name:match('mesa%-std:') and #lines() > 5 and vim.fn.line('.') > 1
  end)
  part('definition', {
    vim.api.nvim_buf_get_name(0),
    vim.api.nvim_get_current_line(),
    'modifiable ' .. tostring(vim.bo.modifiable),
  })
  if vim.api.nvim_buf_get_name(0):match('^mesa%-std:') and vim.lsp.get_clients then
    -- The same server goes on from there.
    vim.lsp.buf.hover()
    part('hover in the library', wait('a hover in the library', floating))
    close_floats()
    part('servers', tostring(#vim.lsp.get_clients()))
  end
  vim.cmd('buffer #')

  -- Format.
  replace('batch = 32', 'batch   =32')
  if vim.lsp.buf.format then
    vim.lsp.buf.format({ timeout_ms = 10000 })
  else
    vim.lsp.buf.formatting_sync(nil, 10000)
  end
  go('batch')
  part('format', vim.api.nvim_get_current_line())

  -- The live report: beside the text, and it follows.
  go('batch = 32')
  vim.cmd('MesaReport')
  local report = vim.fn.bufnr('mesa report')
  local text = function() return table.concat(lines(report), '\n') end
  wait('the report', function() return text():match('batch 32') end)
  part('report', text())
  part('screen with the report', screen())
  replace('batch = 32', 'batch = 64')
  wait('the new report', function() return text():match('batch 64') end)
  part('report that follows', vim.split(text(), '\n')[2])
  replace('batch = 64', 'batch = nothing')
  wait('the mistakes', function() return text():match('until this is mended') end)
  part('report of mistakes', text())
  replace('batch = nothing', 'batch = 64')
  wait('the report again', function() return text():match('batch 64') end)
  assert(vim.api.nvim_get_current_win() == here, 'the cursor stays in the text')

  -- Where a number comes from.
  vim.cmd('MesaExplain chat.memory.weights')
  wait('the derivation', function()
    local buf = vim.fn.bufnr('mesa explain')
    return buf > 0 and #lines(buf) > 1
  end)
  part('explain', lines(vim.fn.bufnr('mesa explain')))

  -- Colours of tree-sitter, if its parser is there.
  if vim.treesitter and vim.treesitter.get_captures_at_pos and os.getenv('MESA_PARSER') then
    go('^plan')
    local captures = vim.treesitter.get_captures_at_pos(0, vim.fn.line('.') - 1, 0)
    part('colours', vim.tbl_map(function(c) return c.capture end, captures))
  end
  part('done', '')
end

vim.api.nvim_create_autocmd('VimEnter', {
  callback = function()
    vim.defer_fn(function()
      local ok, problem = xpcall(main, debug.traceback)
      if not ok then part('failed', tostring(problem)) end
      out:close()
      vim.cmd(ok and 'qall!' or 'cquit!')
    end, 100)
  end,
})
