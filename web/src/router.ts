import { createRouter, createWebHistory } from 'vue-router';
import { onSessionEnd, restoreSession, session } from './accounts/session';
import { district } from './district/district';
import { i18n } from './i18n';

declare module 'vue-router' {
  interface RouteMeta {
    /** Key under `nav.` of the page's name. */
    nav?: 'wall' | 'playback' | 'events' | 'uptime' | 'district' | 'storage' | 'system';
    isPublic?: boolean;
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: '/wall' },
    {
      path: '/sign-in',
      component: () => import('./accounts/SignInPage.vue'),
      meta: { isPublic: true },
    },
    { path: '/wall', component: () => import('./wall/WallPage.vue'), meta: { nav: 'wall' } },
    {
      path: '/playback',
      component: () => import('./playback/PlaybackPage.vue'),
      meta: { nav: 'playback' },
    },
    {
      path: '/events',
      component: () => import('./events/EventsPage.vue'),
      meta: { nav: 'events' },
    },
    {
      path: '/uptime',
      component: () => import('./reports/UptimePage.vue'),
      meta: { nav: 'uptime' },
    },
    {
      path: '/district',
      component: () => import('./district/DistrictPage.vue'),
      meta: { nav: 'district' },
    },
    {
      path: '/storage',
      component: () => import('./storage/StoragePage.vue'),
      meta: { nav: 'storage' },
    },
    {
      path: '/system',
      component: () => import('./system/SystemPage.vue'),
      meta: { nav: 'system' },
    },
    { path: '/:rest(.*)*', component: () => import('./ui/NotFoundPage.vue') },
  ],
});

router.beforeEach(async (to) => {
  await restoreSession();
  if (session.user) {
    district.start();
    if (to.meta.isPublic) return '/wall';
  } else if (!to.meta.isPublic) {
    return { path: '/sign-in', query: to.fullPath === '/wall' ? {} : { next: to.fullPath } };
  }
  return true;
});

router.afterEach((to) => {
  const { t } = i18n.global;
  const page = to.meta.nav ? `${t(`nav.${to.meta.nav}`)} · ` : '';
  document.title = `${page}${t('app.name')}`;
});

onSessionEnd(() => {
  district.stop();
  const { fullPath } = router.currentRoute.value;
  void router.push({ path: '/sign-in', query: { next: fullPath } });
});
