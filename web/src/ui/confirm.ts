import { ElMessageBox } from 'element-plus/es/components/message-box/index.mjs';
import 'element-plus/es/components/message-box/style/css';
import { i18n } from '@/i18n';

/** Asks before something that cannot be undone. */
export async function confirmDelete(question: string): Promise<boolean> {
  const { t } = i18n.global;
  try {
    await ElMessageBox.confirm(question, {
      confirmButtonText: t('common.delete'),
      cancelButtonText: t('common.cancel'),
      type: 'warning',
    });
    return true;
  } catch {
    return false;
  }
}

/** Null when the person thought better of it. */
export async function askText(title: string, value: string): Promise<string | null> {
  const { t } = i18n.global;
  try {
    const answer: unknown = await ElMessageBox.prompt(title, {
      inputValue: value,
      confirmButtonText: t('common.save'),
      cancelButtonText: t('common.cancel'),
      inputPattern: /^.{1,128}$/,
      inputErrorMessage: t('district.required'),
    });
    return (answer as { value: string }).value.trim();
  } catch {
    return null;
  }
}
