/** Keys belong to the field, dialog or menu that has the focus, not to the page behind it. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true;
  const target = event.target as HTMLElement | null;
  if (!target) return false;
  if (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
    return true;
  if (document.querySelector('.el-overlay:not([style*="display: none"])')) return true;
  const isButton = ['BUTTON', 'A'].includes(target.tagName);
  if (isButton && (event.key === 'Enter' || event.key === ' ')) return true;
  return target.closest('[role=menu]') !== null;
}
