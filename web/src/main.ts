import 'element-plus/es/components/base/style/css';
import './styles/tokens.css';
import './styles/base.css';
import { createApp } from 'vue';
import App from './App.vue';
import { i18n } from './i18n';
import { router } from './router';
import { applyTheme } from './ui/theme';

applyTheme();
createApp(App).use(i18n).use(router).mount('#app');
