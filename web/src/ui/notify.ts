// Short messages at the top of the page.

import { ElMessage } from 'element-plus/es/components/message/index.mjs';
import 'element-plus/es/components/message/style/css';
import { ApiError } from '@/api/client';
import { i18n } from '@/i18n';
import { sayRefusal } from './problem';

export function describeError(error: unknown): string {
  const { t } = i18n.global;
  if (error instanceof ApiError)
    return error.status === 0 ? t('common.noServer') : sayRefusal(error.status, error.problem);
  return t('common.unexpected', { detail: error instanceof Error ? error.message : String(error) });
}

export function notifyError(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) return; // the sign-in page says it
  ElMessage({
    type: 'error',
    message: describeError(error),
    duration: 6000,
    showClose: true,
    grouping: true,
  });
}

export function notifyDone(message: string): void {
  ElMessage({ type: 'success', message, duration: 2500, grouping: true });
}

export function notifyHint(message: string): void {
  ElMessage({ type: 'warning', message, duration: 4000, grouping: true, showClose: true });
}
